-- KEYS as in block.lua; ARGV[1] network, [2] now
local held = redis.call('HGET', KEYS[1], ARGV[1])
if not held then return 0 end
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[1])
if string.sub(held, 21, 40) <= ARGV[2] then return 0 end
-- Changes do not tell what is gone: with a new epoch everybody reads all that is left.
local time = redis.call('TIME')
local epoch = time[1] * 1000000 + time[2]
local last = tonumber(redis.call('HGET', KEYS[4], 'epoch') or '0')
if epoch <= last then epoch = last + 1 end
redis.call('HSET', KEYS[4], 'epoch', string.format('%.0f', epoch))
return 1
