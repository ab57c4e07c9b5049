-- For each key four arguments: the field, the state that it must still have, '' for none; its new state; and
-- for how many milliseconds, 0 to forget it, -1 to leave it. Then by how much longer all are kept.
local out, same = {format('%d', now)}, true
for i = 1, #KEYS do
    local held = call('HGET', KEYS[i], ARGV[4 * i - 3]) or ''
    same, out[i + 1] = same and held == ARGV[4 * i - 2], held
end
if not same then
    -- What is no state must not be taken for a verdict.
    out[2] = string.gsub(out[2], '^[x?]', '#')
    return table.concat(out, ',')
end
local slack = tonumber(ARGV[4 * #KEYS + 1])
for i = 1, #KEYS do
    local kept = tonumber(ARGV[4 * i])
    if kept > 0 then
        local ends = format('%d', now / 1000 + kept + slack)
        call('HSET', KEYS[i], ARGV[4 * i - 3], ARGV[4 * i - 1])
        if call('PEXPIREAT', KEYS[i], ends, 'NX') == 0 then call('PEXPIREAT', KEYS[i], ends, 'GT') end
    end
end
for i = 1, #KEYS do
    if ARGV[4 * i] == '0' then call('HDEL', KEYS[i], ARGV[4 * i - 3]) end
end
return 'written'
