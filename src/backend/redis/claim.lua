-- KEYS[1] the event; ARGV[1] the lease in microseconds; ARGV[2] how long the row is kept, in milliseconds
-- {0, fence} it is yours; {1, microseconds} another's, for so long; {2, 0} it is done
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local row = redis.call('HMGET', KEYS[1], 'fence', 'until', 'done')
local fence = now
if row[1] then
    local left = tonumber(row[2]) - now
    if left > 0 then
        if row[3] == '1' then return {2, 0} end
        return {1, left}
    end
    -- The server's clock may have been set back: a fence must still grow.
    fence = math.max(now, tonumber(row[1]) + 1)
end
redis.call('HSET', KEYS[1], 'fence', string.format('%.0f', fence),
    'until', string.format('%.0f', now + ARGV[1]), 'done', '0')
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return {0, fence}
