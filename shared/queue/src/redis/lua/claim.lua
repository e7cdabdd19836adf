-- claim.lua: take up to `limit` ready orders that a worker may run, and let the worker wait when there is none.
-- KEYS 1 prefix
-- ARGV 1 now in ms  2 limit  3 worker  4 instance  5 queues (`*` or `,a,b,`)  6 capabilities (`,a,b,`)
--      7 `arrival` (lowest score first) or `fair` (projects in turn, lowest score first within each)  8 `1`: wait when empty
-- RETURNS {1 when the queue is complete else 0, orders, next due time or '', full projects, paused queues}
-- Order by order, with the arrival rule, this is what SQL does. Both loops are bounded: MAX_LANES lanes, `limit` orders.
local MAX_LANES = 512   -- lanes looked at in one class
local MAX_PROMOTED = 100

local p, now, limit, worker = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local queues, caps, fair = ARGV[5], ARGV[6], ARGV[7] == 'fair'

if redis.call('EXISTS', p .. 'generation') == 0 then return {0, {}, '', {}, {}} end
local promoted = promote_due(p, now, MAX_PROMOTED)

-- How many more orders a project may start now; false when it has no limit.
local rooms, paces = {}, {}
local function room(project)
  if rooms[project] == nil then
    local most = redis.call('HGET', p .. 'limits', project)
    local left = most and tonumber(most) - redis.call('SCARD', p .. 'held:' .. project)
    local pace = redis.call('HGET', p .. 'paces', project)
    if pace then
      local interval, burst, spent = string.match(pace, '^(%S+) (%S+) (%S+)$')
      pace = {interval = tonumber(interval), burst = tonumber(burst), spent = math.max(tonumber(spent), now * 1000)}
      local starts = math.floor((pace.burst * pace.interval - (pace.spent - now * 1000)) / pace.interval)
      left, paces[project] = left and math.min(left, starts) or starts, pace
    end
    rooms[project] = left
  end
  return rooms[project]
end

local lanes, full, paused, seen = {}, {}, {}, {}
for _, class in ipairs(redis.call('SMEMBERS', p .. 'classes')) do
  local can, queue = covers(queues, caps, class)
  if can and redis.call('SISMEMBER', p .. 'paused', queue) == 1 then
    if not seen[queue] then paused[#paused + 1] = queue end
    seen[queue] = true
  elseif can then
    local heads = redis.call('ZRANGE', p .. 'heads:' .. class, 0, MAX_LANES - 1, 'WITHSCORES')
    for i = 1, #heads, 2 do
      local left = room(heads[i])
      if left and left <= 0 then
        if not seen[heads[i]] then full[#full + 1] = heads[i] end
        seen[heads[i]] = true
      else
        lanes[#lanes + 1] = {class = class, project = heads[i], key = ready_key(p, class, heads[i]), score = tonumber(heads[i + 1])}
      end
    end
  end
end

-- The first order's id decides between lanes with equal scores: ids grow with time.
local function first(lane)
  if not lane.first then lane.first = redis.call('ZRANGE', lane.key, 0, 0)[1] or '' end
  return lane.first
end
local turns, turn = {}, 0
if fair then turn = tonumber(redis.call('GET', p .. 'turn') or 0) end
local function turn_of(project)
  if not turns[project] then
    turns[project] = math.max(turn, tonumber(redis.call('HGET', p .. 'turns', project) or 0))
  end
  return turns[project]
end
local function before(a, b)
  if fair and a.project ~= b.project then
    local one, other = turn_of(a.project), turn_of(b.project)
    if one ~= other then return one < other end
  end
  if a.score ~= b.score then return a.score < b.score end
  return first(a) < first(b)
end
-- The place of the lane that goes first, and the lane that goes next.
local function pick()
  local best, second = 1, nil
  for i = 2, #lanes do
    if before(lanes[i], lanes[best]) then best, second = i, lanes[best]
    elseif not second or before(lanes[i], second) then second = lanes[i] end
  end
  return best, second
end

-- Takes from a lane what goes before the other one, at most `most`.
local function take(lane, other, most)
  local found = redis.call('ZRANGE', lane.key, 0, most - 1, 'WITHSCORES')
  local taken = {}
  for i = 1, #found, 2 do
    local score = tonumber(found[i + 1])
    local later = other and (score > other.score or (score == other.score and found[i] > first(other)))
    if #taken > 0 and later then break end
    taken[#taken + 1] = found[i]
  end
  if #taken > 0 then redis.call('ZREM', lane.key, unpack(taken)) end
  return taken
end

local orders = {}
while #orders < limit and #lanes > 0 do
  local place, other = pick()
  local lane, left = lanes[place], room(lanes[place].project)
  local most = limit - #orders
  if left then most = math.min(most, left) end
  if fair and other then most = math.min(most, 1) end
  local taken = most > 0 and take(lane, other, most) or {}
  for _, order in ipairs(taken) do orders[#orders + 1] = order end
  if left then
    -- The place is taken from here on, or others would choose for it meanwhile; the record corrects what it refuses.
    if #taken > 0 and redis.call('HEXISTS', p .. 'limits', lane.project) == 1 then
      redis.call('SADD', p .. 'held:' .. lane.project, unpack(taken))
    end
    local pace = paces[lane.project]
    if #taken > 0 and pace then
      pace.spent = pace.spent + #taken * pace.interval
      note_pace(p, lane.project, pace.interval, pace.burst, pace.spent)
    end
    rooms[lane.project] = left - #taken
  end
  if fair and #taken > 0 then
    turn = turn_of(lane.project)
    turns[lane.project] = turn + #taken
  end
  lane.first = nil
  if set_head(p, lane.class, lane.project) and #taken > 0 and (room(lane.project) or 1) > 0 then
    lane.score = tonumber(redis.call('ZSCORE', p .. 'heads:' .. lane.class, lane.project))
  else
    lanes[place] = lanes[#lanes]
    lanes[#lanes] = nil
  end
end

if fair and #orders > 0 then
  redis.call('SET', p .. 'turn', turn)
  for project, next_turn in pairs(turns) do
    if next_turn > turn then redis.call('HSET', p .. 'turns', project, next_turn)
    else redis.call('HDEL', p .. 'turns', project) end
  end
end
-- What came due and is not taken here is for others.
for i = #orders + 1, #promoted do
  if not ring(p, promoted[i]) then break end
end
if #orders == 0 and ARGV[8] == '1' then
  redis.call('ZADD', p .. 'waiting', redis.call('TIME')[1], worker)
  redis.call('HSET', p .. 'wants', worker, ARGV[4] .. ' ' .. queues .. ' ' .. caps)
else
  stop_waiting(p, worker)
end
return {1, orders, next_due(p, now), full, paused}
