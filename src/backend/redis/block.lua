-- KEYS[1] rows by network, [2] networks by end, [3] networks by their last change, [4] epoch and number of
-- the last change; ARGV[1] network, [2] since, [3] until, each time in microseconds with 20 digits, which
-- compare as text, [4] reason, [5] now, [6] for how many milliseconds everything is kept, [7] how many
-- blocks there may be
local function forget(network)
    redis.call('HDEL', KEYS[1], network)
    redis.call('ZREM', KEYS[2], network)
    redis.call('ZREM', KEYS[3], network)
end
for _, network in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', ARGV[5], 'LIMIT', 0, 8)) do
    if network ~= ARGV[1] then forget(network) end
end
local held = redis.call('HGET', KEYS[1], ARGV[1])
if held and string.sub(held, 21, 40) > ARGV[5] and string.sub(held, 21, 40) >= ARGV[3] then return held end
if redis.call('HEXISTS', KEYS[4], 'epoch') == 0 then
    local time = redis.call('TIME')
    redis.call('HSET', KEYS[4], 'epoch', string.format('%.0f', time[1] * 1000000 + time[2]))
end
local row = ARGV[2] .. ARGV[3] .. ARGV[4]
redis.call('HSET', KEYS[1], ARGV[1], row)
redis.call('ZADD', KEYS[2], ARGV[3], ARGV[1])
redis.call('ZADD', KEYS[3], redis.call('HINCRBY', KEYS[4], 'seq', 1), ARGV[1])
local over = redis.call('HLEN', KEYS[1]) - tonumber(ARGV[7])
if over > 0 then
    -- The new one may be among the first to end, and stays.
    for _, network in ipairs(redis.call('ZRANGE', KEYS[2], 0, over)) do
        if over > 0 and network ~= ARGV[1] then
            forget(network)
            over = over - 1
        end
    end
end
local kept = tonumber(ARGV[6])
for _, key in ipairs(KEYS) do
    if redis.call('PTTL', key) < kept then redis.call('PEXPIRE', key, string.format('%.0f', kept)) end
end
return row
