-- KEYS[1] what is revoked; ARGV[1] issued before, ARGV[2] until, ARGV[3] now, each in microseconds with
-- 20 digits, which compare as text: as numbers they would lose their last ones; ARGV[4] for how many
-- milliseconds the row is kept, -1 for ever
local before, ends, kept = ARGV[1], ARGV[2], tonumber(ARGV[4])
local held = redis.call('GET', KEYS[1])
if held and string.sub(held, 21) > ARGV[3] then
    local left = redis.call('PTTL', KEYS[1])
    if string.sub(held, 1, 20) > before then before = string.sub(held, 1, 20) end
    if string.sub(held, 21) > ends then ends = string.sub(held, 21) end
    if left == -1 or kept == -1 then kept = -1 else kept = math.max(left, kept) end
end
if kept == -1 then
    redis.call('SET', KEYS[1], before .. ends)
else
    redis.call('SET', KEYS[1], before .. ends, 'PX', string.format('%.0f', kept))
end
return 1
