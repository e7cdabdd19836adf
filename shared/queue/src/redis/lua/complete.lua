-- complete.lua: declare the queue complete, or doubt it. While it is in doubt, claims go straight to the record.
-- KEYS 1 prefix
-- ARGV 1 the generation: which server it was filled on; '' to doubt it
-- RETURNS nothing of interest
local p = KEYS[1]
if ARGV[1] == '' then return redis.call('DEL', p .. 'generation') end
return redis.call('SET', p .. 'generation', ARGV[1])
