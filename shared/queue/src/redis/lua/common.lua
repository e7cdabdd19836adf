-- common.lua: what the moves share. `p` is the prefix of every key, KEYS[1] of every move.
--
-- Keys (all with one hash tag, so that one namespace is one Cluster slot):
--   generation            STRING  set when the queue is complete; without it nothing here may be trusted
--   doubts                STRING  how often somebody doubted that it is
--   classes               SET     classes with a ready order; a class is `queue/needs`
--   heads:<class>         ZSET    project -> score of its first ready order of this class
--   ready:<class>|<proj>  ZSET    order -> score: one lane
--   delayed               ZSET    order -> due time in ms
--   delayed:at            HASH    order -> `score project class`
--   limits                HASH    project -> how many of its orders may run (limited projects only)
--   held:<project>        SET     orders of a limited project that run
--   paces                 HASH    project -> `interval burst spent`: microseconds between starts, starts that may come at
--                                 once, and until when (microseconds since 1970) what was started has used that up
--   starts                ZSET    project that has used up its pace -> when it may start again, in ms
--   paused                SET     queues
--   turns, turn           HASH, STRING  fair queueing: each project's next turn, and the turn that is being served
--   waiting               ZSET    worker that waits -> since when, in Redis' own seconds
--   wants                 HASH    worker that waits -> `instance queues capabilities`
--   bell:<instance>       LIST    workers of that process to be woken
--   luggage               HASH    order -> what it brings along; only where there is no record (no move touches it)
--
-- The record is the truth and checks every claim: a wrong entry costs a look, never an order.

local MAX_WAITING = 128 -- waiting workers looked at for one wake-up
local STALE = 15        -- seconds after which a worker that waits must have looked again, or its process is gone

local function ready_key(p, class, project)
  return p .. 'ready:' .. class .. '|' .. project
end

-- Brings the index of lanes in line with the lane's first order.
local function set_head(p, class, project)
  local first = redis.call('ZRANGE', ready_key(p, class, project), 0, 0, 'WITHSCORES')
  local heads = p .. 'heads:' .. class
  if first[2] then
    redis.call('ZADD', heads, first[2], project)
    redis.call('SADD', p .. 'classes', class)
    return true
  end
  redis.call('ZREM', heads, project)
  if redis.call('EXISTS', heads) == 0 then redis.call('SREM', p .. 'classes', class) end
  return false
end

-- Puts orders into their lane: `entries` is score, order, score, order, …; `lowest` the lowest of the scores. Returns how many
-- were not there before.
local function put_ready(p, class, project, key, entries, lowest)
  local new = redis.call('ZADD', key, unpack(entries))
  if new * 2 < #entries then
    set_head(p, class, project) -- the score of one that was there may have grown
  elseif redis.call('ZADD', p .. 'heads:' .. class, 'LT', lowest, project) == 1 then
    redis.call('SADD', p .. 'classes', class)
  end
  return new
end

-- `queues` is `*` or `,a,b,`; `caps` is `,a,b,`. Returns whether they cover the class, and its queue.
local function covers(queues, caps, class)
  local queue, needs = string.match(class, '^([^/]*)/(.*)$')
  if queues ~= '*' and not string.find(queues, ',' .. queue .. ',', 1, true) then return false, queue end
  for need in string.gmatch(needs, '[^,]+') do
    if not string.find(caps, ',' .. need .. ',', 1, true) then return false, queue end
  end
  return true, queue
end

local function stop_waiting(p, worker)
  redis.call('ZREM', p .. 'waiting', worker)
  redis.call('HDEL', p .. 'wants', worker)
end

-- Wakes the worker that waits longest among those that may run the class. Returns whether there was one.
local function ring(p, class)
  local waiting = redis.call('ZRANGE', p .. 'waiting', 0, MAX_WAITING - 1, 'WITHSCORES')
  local now = #waiting > 0 and tonumber(redis.call('TIME')[1])
  for i = 1, #waiting, 2 do
    local worker = waiting[i]
    local wants = redis.call('HGET', p .. 'wants', worker)
    if not wants or now - tonumber(waiting[i + 1]) > STALE then
      stop_waiting(p, worker)
    else
      local instance, queues, caps = string.match(wants, '^(%S+) (%S+) (%S+)$')
      if covers(queues, caps, class) then
        stop_waiting(p, worker)
        redis.call('RPUSH', p .. 'bell:' .. instance, worker)
        redis.call('EXPIRE', p .. 'bell:' .. instance, 60)
        return true
      end
    end
  end
  return false
end

-- Moves delayed orders that are due, at most `most`, into their lanes. Returns the classes, one entry per order.
local function promote_due(p, now, most)
  local due = redis.call('ZRANGEBYSCORE', p .. 'delayed', '-inf', now, 'LIMIT', 0, most)
  local classes = {}
  for _, order in ipairs(due) do
    local at = redis.call('HGET', p .. 'delayed:at', order)
    redis.call('ZREM', p .. 'delayed', order)
    redis.call('HDEL', p .. 'delayed:at', order)
    if at then
      local score, project, class = string.match(at, '^(%S+) (%S+) (.*)$')
      put_ready(p, class, project, ready_key(p, class, project), {score, order}, score)
      classes[#classes + 1] = class
    end
  end
  return classes
end

-- When the first delayed order is due; nil when nothing is delayed.
local function first_delayed(p)
  return redis.call('ZRANGE', p .. 'delayed', 0, 0, 'WITHSCORES')[2]
end

-- When something becomes ready by itself: a delayed order, or a project that has used up its pace; '' when nothing will.
local function next_due(p, now)
  local due = first_delayed(p)
  local start = redis.call('ZRANGEBYSCORE', p .. 'starts', '(' .. now, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)[2]
  if due and start then return tonumber(start) < tonumber(due) and start or due end
  return due or start or ''
end

-- Notes until when a project has used up its pace. Numbers are this large: they must not be rounded in writing.
local function note_pace(p, project, interval, burst, spent)
  redis.call('HSET', p .. 'paces', project, string.format('%.0f %.0f %.0f', interval, burst, spent))
  redis.call('ZADD', p .. 'starts', string.format('%.0f', math.ceil((spent - (burst - 1) * interval) / 1000)), project)
end

local function forget_pace(p, project)
  redis.call('HDEL', p .. 'paces', project)
  redis.call('ZREM', p .. 'starts', project)
end
