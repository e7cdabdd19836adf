-- room.lua: note what the record says of projects' limits, and which of their orders run.
-- KEYS 1 prefix
-- ARGV per project: project, limit or '', interval or '', burst, spent, number of running orders, then their ids
-- RETURNS nothing of interest
local p, i = KEYS[1], 1
while i < #ARGV do
  local project, most, interval, count = ARGV[i], ARGV[i + 1], ARGV[i + 2], tonumber(ARGV[i + 5])
  redis.call('DEL', p .. 'held:' .. project)
  if most == '' then
    redis.call('HDEL', p .. 'limits', project)
  else
    redis.call('HSET', p .. 'limits', project, most)
    for j = i + 6, i + 5 + count do redis.call('SADD', p .. 'held:' .. project, ARGV[j]) end
  end
  if interval == '' then
    forget_pace(p, project)
  else
    note_pace(p, project, tonumber(interval), tonumber(ARGV[i + 3]), tonumber(ARGV[i + 4]))
  end
  i = i + 6 + count
end
return 1
