import { LIST_END, LIST_OPEN } from './list-scripts.ts';

/** What `POST /v1/jobs` and its kin ask of the stream, each at once: other servers are at work on it. Keys and arguments are named above each. */

/**
 * Adds a job, unless one of its name is in the stream or has an end that is kept: `[id, digest]` of the one that is there then; nothing if the stream is full.
 * KEYS: stream, name. ARGV: digest of the name or '', job, facts, digest of the job, most messages, time to live of the name in ms, ends of jobs (a prefix), list or ''.
 */
export const ADD = `${LIST_OPEN}
if ARGV[1] ~= '' then
  local known = redis.call('GET', KEYS[2])
  if known then
    local id, digest = string.match(known, '^(%S+) (%S+)$')
    if redis.call('EXISTS', ARGV[7] .. id) == 1 or #redis.call('XRANGE', KEYS[1], id, id) > 0 then return { id, digest } end
  end
end
if redis.call('XLEN', KEYS[1]) >= tonumber(ARGV[5]) then return {} end
local id = redis.call('XADD', KEYS[1], '*', 'job', ARGV[2], 'facts', ARGV[3])
if ARGV[1] ~= '' then redis.call('SET', KEYS[2], id .. ' ' .. ARGV[4], 'PX', ARGV[6]) end
if ARGV[8] ~= '' then listOpen(ARGV[8], id, ARGV[3]) end
return { id, ARGV[4] }`;

/** `[end]`, or `['', facts]` of a job that waits, with its consumer, idle time in ms and deliveries once it has been claimed. KEYS: stream, end. ARGV: group, id. */
export const FIND = `
local ended = redis.call('GET', KEYS[2])
if ended then return { ended } end
local found = redis.call('XRANGE', KEYS[1], ARGV[2], ARGV[2])
if not found[1] then return {} end
local fields = found[1][2]
for at = 1, #fields, 2 do
  if fields[at] == 'facts' then
    -- Without the group nobody has claimed anything.
    local pending = redis.pcall('XPENDING', KEYS[1], ARGV[1], ARGV[2], ARGV[2], 1)
    if pending.err or not pending[1] then return { '', fields[at + 1] } end
    return { '', fields[at + 1], pending[1][2], pending[1][3], pending[1][4] }
  end
end
return {}`;

/** Takes a job off the stream, whoever has it: that server cannot extend its claim or store a result any more. KEYS: stream, end. ARGV: group, id, end, time to live in ms, list or '', time of the end in ms. */
export const CANCEL = `${LIST_END}
redis.pcall('XACK', KEYS[1], ARGV[1], ARGV[2])
if redis.call('XDEL', KEYS[1], ARGV[2]) == 0 then return 0 end
redis.call('SET', KEYS[2], ARGV[3], 'PX', ARGV[4])
if ARGV[5] ~= '' then listEnd(ARGV[5], ARGV[2], ARGV[3], ARGV[4], 'cancelled', ARGV[6], KEYS[2]) end
return 1`;
