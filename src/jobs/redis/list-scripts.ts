import { NOBODY } from './keys.ts';

/**
 * The jobs of each owner, for `GET /v1/jobs`: sorted sets whose names begin with that of the list, changed by the scripts that add and end jobs, in the same step.
 *
 * - `open`, `completed`, `failed`, `cancelled`: a job is in one of them. A member is its place, a space, and its facts or its end; all scores are 0, so that members are in the order of
 *   their places.
 * - `ends`: places of jobs that have ended, by the time (ms) until which their ends are kept, by the clock of the server that ended them. Each end of a job removes a few that are no longer
 *   kept; the sets themselves expire with the last end.
 *
 * A place is the id of a message as text of one length, so that places sort as the stream does.
 */
const PLACES = `
local function placeOf(id)
  local ms, count = string.match(id, '^(%d+)-(%d+)$')
  return string.rep('0', 20 - #ms) .. ms .. string.rep('0', 20 - #count) .. count
end
local function idOf(place)
  local function part(from, to) return (string.gsub(string.sub(place, from, to), '^0+(%d)', '%1')) end
  return part(1, 20) .. '-' .. part(21, 40)
end
local function remove(set, place) redis.call('ZREMRANGEBYLEX', set, '[' .. place .. ' ', '(' .. place .. '!') end
local function forget(list, place)
  for _, status in ipairs({ 'completed', 'failed', 'cancelled' }) do remove(list .. status, place) end
  redis.call('ZREM', list .. 'ends', place)
end`;

/** Begins scripts that add a job: `listOpen(list, id, facts)`. */
export const LIST_OPEN = `${PLACES}
local function listOpen(list, id, facts) redis.call('ZADD', list .. 'open', 0, placeOf(id) .. ' ' .. facts) end`;

/**
 * Begins scripts that end a job: `listEnd(list, id, finish, time to live in ms, status, time of the end in ms, key of the end)`. More ends may be removed than are added, so those that are no
 * longer kept do not pile up.
 */
export const LIST_END = `${PLACES}
local function listEnd(list, id, finish, ttl, status, now, key)
  local place, ends = placeOf(id), string.sub(key, 1, #key - #id)
  remove(list .. 'open', place)
  for _, old in ipairs(redis.call('ZRANGEBYSCORE', list .. 'ends', '-inf', now, 'LIMIT', 0, 10)) do
    -- Clocks differ: what Redis still keeps is still listed.
    if redis.call('EXISTS', ends .. idOf(old)) == 0 then forget(list, old) end
  end
  redis.call('ZADD', list .. status, 0, place .. ' ' .. finish)
  redis.call('ZADD', list .. 'ends', string.format('%.0f', now + ttl), place)
  for _, set in ipairs({ list .. status, list .. 'ends' }) do
    if redis.call('PTTL', set) < tonumber(ttl) then redis.call('PEXPIRE', set, ttl) end
  end
end`;

/** Forgets a job that has ended. KEYS: end, result. ARGV: list, id. */
export const FORGET = `${PLACES}
redis.call('DEL', KEYS[1], KEYS[2])
forget(ARGV[1], placeOf(ARGV[2]))`;

/** A page reads this many times as many entries of a set as it has jobs; then it ends, and tells where to go on. */
const MOST_ROUNDS = 5;

/**
 * A page of jobs, the newest first: `[jobs]`, or `[jobs, id, text]` of the last one looked at if not all were before there were enough. A job is `[id, facts, status, deliveries]`, or
 * `[id, end]`. Bodies are not read. Forgets jobs whose ends are no longer kept, and those whose messages somebody has taken off the stream by hand.
 * KEYS: stream. ARGV: group, list, id before which to begin or '', most, status or '', lease in ms, ends of jobs (a prefix).
 */
export const LIST = `${PLACES}
local list, most, wanted, lease = ARGV[2], tonumber(ARGV[4]), ARGV[5], tonumber(ARGV[6])
local found, last = {}, nil

-- The last place that anybody has claimed. Without a group that is none; in an empty stream nothing is left.
local claimed = ''
if redis.call('XLEN', KEYS[1]) == 0 then claimed = '~'
else
  for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
    local facts = {}
    for at = 1, #group, 2 do facts[group[at]] = group[at + 1] end
    if facts['name'] == ARGV[1] then claimed = placeOf(facts['last-delivered-id']) end
  end
end

local function openJob(place, facts)
  local id = idOf(place)
  if place > claimed then return { id, facts, 'waiting', 0 } end
  local pending = redis.pcall('XPENDING', KEYS[1], ARGV[1], id, id, 1)
  if pending.err or not pending[1] then
    remove(list .. 'open', place)
    return nil
  end
  local held = pending[1][2] ~= '${NOBODY}' and pending[1][3] < lease
  return { id, facts, held and 'running' or 'waiting', pending[1][4] }
end

local function endedJob(place, finish)
  local id = idOf(place)
  if redis.call('EXISTS', ARGV[7] .. id) == 1 then return { id, finish } end
  forget(list, place)
  return nil
end

local below = ARGV[3] == '' and '+' or '(' .. placeOf(ARGV[3])
local sets = { wanted }
if wanted == '' then sets = { 'open', 'completed', 'failed', 'cancelled' } end
if wanted == 'waiting' or wanted == 'running' then sets = { 'open' } end
-- What nobody has claimed is not running.
if wanted == 'running' and (below == '+' or '(' .. claimed < below) then below = '(' .. claimed .. '!' end

for _ = 1, ${MOST_ROUNDS} do
  local entries = {}
  for _, set in ipairs(sets) do
    for _, member in ipairs(redis.call('ZREVRANGEBYLEX', list .. set, below, '-', 'LIMIT', 0, most)) do
      entries[#entries + 1] = { member, set }
    end
  end
  table.sort(entries, function(one, other) return one[1] > other[1] end)
  for at = 1, math.min(#entries, most) do
    local place, text = string.sub(entries[at][1], 1, 40), string.sub(entries[at][1], 42)
    below, last = '(' .. place, { idOf(place), text }
    local isOpen = entries[at][2] == 'open'
    local job = isOpen and openJob(place, text) or not isOpen and endedJob(place, text)
    if job and (not isOpen or wanted == '' or job[3] == wanted) then found[#found + 1] = job end
    if #found == most then return { found } end
  end
  if #entries < most then return { found } end
end
return { found, last[1], last[2] }`;
