-- promote.lua: move delayed orders that are due, and wake a worker for each.
-- KEYS 1 prefix
-- ARGV 1 now in ms  2 how many at most
-- RETURNS {1 when the queue is complete else 0, how many moved, next due time or ''}
local p = KEYS[1]
local classes, nobody = promote_due(p, tonumber(ARGV[1]), tonumber(ARGV[2])), {}
for _, class in ipairs(classes) do
  if not nobody[class] then nobody[class] = not ring(p, class) end
end
return {redis.call('EXISTS', p .. 'generation'), #classes, next_due(p, tonumber(ARGV[1]))}
