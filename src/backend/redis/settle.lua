-- KEYS[1] the event; ARGV[1] the fence; ARGV[2], ARGV[3] how long to remember it as done, in
-- microseconds and in milliseconds, or nothing to forget it
local row = redis.call('HMGET', KEYS[1], 'fence', 'done')
if row[1] ~= ARGV[1] or row[2] ~= '0' then return 0 end
if not ARGV[2] then
    redis.call('DEL', KEYS[1])
    return 1
end
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
redis.call('HSET', KEYS[1], 'until', string.format('%.0f', now + ARGV[2]), 'done', '1')
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
