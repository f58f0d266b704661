import { NOBODY } from './keys.ts';
import { LIST_END } from './list-scripts.ts';

/** What must happen at once is a script: a server may die, or lose its lease, between any two commands. Keys and arguments are named above each. */

/**
 * Takes over jobs whose lease has ended, up to `most`: `[[id, deliveries, fields], ...]`. Those that were deleted meanwhile are forgotten.
 * KEYS: stream. ARGV: group, consumer, leaseMs, most.
 */
export const TAKE_OVER = `
local taken = {}
local pending = redis.call('XPENDING', KEYS[1], ARGV[1], 'IDLE', ARGV[3], '-', '+', ARGV[4])
for _, one in ipairs(pending) do
  local claimed = redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], ARGV[3], one[1])
  if claimed[1] then taken[#taken + 1] = { one[1], one[4] + 1, claimed[1][2] }
  else redis.call('XACK', KEYS[1], ARGV[1], one[1]) end
end
return taken`;

/** Whether the job is still this consumer's; begins the other scripts. */
const IS_OURS = `
local function isOurs(id)
  local pending = redis.call('XPENDING', KEYS[1], ARGV[1], id, id, 1)
  return #pending > 0 and pending[1][2] == ARGV[2]
end
if not isOurs(ARGV[3]) then return 0 end`;

/** Makes a claim last from now; it does not count as a delivery. KEYS: stream. ARGV: group, consumer, id. */
export const EXTEND = `${IS_OURS}
redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[3], 'JUSTID')
return 1`;

/** Stores a result, unless there is one, and takes the job off the queue. KEYS: stream, result, end. ARGV: group, consumer, id, result, end or '', time to live in ms. */
const STORE = `${IS_OURS}
redis.call('SET', KEYS[2], ARGV[4], 'NX', 'PX', ARGV[6])
if ARGV[5] ~= '' then redis.call('SET', KEYS[3], ARGV[5], 'PX', ARGV[6]) end`;

/**
 * Puts a job among the dead letters, with the reason. One with an end is asked about by its id: its result is kept there, too.
 * KEYS: stream, result, end, dead letters. ARGV: group, consumer, id, result, end or '', time to live in ms, job, deliveries.
 */
const STORE_DEAD = `${IS_OURS}
redis.call('XADD', KEYS[4], '*', 'job', ARGV[7], 'result', ARGV[4], 'deliveries', ARGV[8], 'id', ARGV[3])
if ARGV[5] ~= '' then
  redis.call('SET', KEYS[2], ARGV[4], 'NX', 'PX', ARGV[6])
  redis.call('SET', KEYS[3], ARGV[5], 'PX', ARGV[6])
end`;

const LEAVE_QUEUE = `
redis.call('XACK', KEYS[1], ARGV[1], ARGV[3])
redis.call('XDEL', KEYS[1], ARGV[3])
return 1`;

/** As the last ARGV: list, status, time of the end in ms. */
const LIST_LAST = `${LIST_END}
listEnd(ARGV[#ARGV - 2], ARGV[3], ARGV[5], ARGV[6], ARGV[#ARGV - 1], ARGV[#ARGV], KEYS[3])`;

/** Scripts by which a job ends. */
export interface Ending {
  readonly finish: string;
  readonly bury: string;
}

/** Of most jobs. */
export const ENDING: Ending = { finish: STORE + LEAVE_QUEUE, bury: STORE_DEAD + LEAVE_QUEUE };

/** Of jobs that stand in the list of their owner. */
export const LISTED_ENDING: Ending = {
  finish: STORE + LIST_LAST + LEAVE_QUEUE,
  bury: STORE_DEAD + LIST_LAST + LEAVE_QUEUE,
};

/**
 * Lets the next server that looks have the job once its idle time, which begins at `idleMs`, is a lease. It is nobody's in the meantime.
 * KEYS: stream. ARGV: group, consumer, id, idleMs, deliveries that count.
 */
export const RELEASE = `${IS_OURS}
redis.call('XCLAIM', KEYS[1], ARGV[1], '${NOBODY}', 0, ARGV[3], 'IDLE', ARGV[4], 'RETRYCOUNT', ARGV[5], 'JUSTID')
return 1`;

/** Forgets a consumer that has no jobs: Redis keeps the names of all that there ever were. KEYS: stream. ARGV: group, consumer. */
export const LEAVE = `
if #redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 1, ARGV[2]) == 0 then
  redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])
end`;

/** Forgets the consumers without jobs that have been silent for `silentMs`: servers that died. One that lives is known again with its next claim. KEYS: stream. ARGV: group, silentMs. */
export const FORGET_DEAD = `
for _, one in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local facts = {}
  for at = 1, #one, 2 do facts[one[at]] = one[at + 1] end
  if facts.pending == 0 and facts.idle > tonumber(ARGV[2]) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], facts.name)
  end
end`;
