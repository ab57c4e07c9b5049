function(held, now, op, units, limit, period, aligned)
    local begins, used, moved = now, 0, false
    if aligned == 1 then begins = now - now % period end
    if held then
        local first, second = string.match(held, '^(%d+) (%d+)')
        if first then
            local began = tonumber(first)
            if began - now > 1000000 then
                used, moved = tonumber(second), true
            elseif now - began < period then -- or a little late: its window has begun
                begins, used = began, tonumber(second)
            end
            if used > 2 ^ 51 then return nil end
        end
    end
    local ok, after = true, nil
    if op < 2 then
        local cost = op == 1 and units or 1
        if cost > 0 and used + cost > limit then
            ok = false
        elseif op == 1 and cost > 0 then
            after = used + cost
        end
    elseif op == 2 then
        after = math.max(used - units, 0)
    elseif op == 3 then
        after = used + units
    else
        after = 0
    end
    if not after then
        if not moved then return ok end
        after = used
    elseif after == 0 then
        return ok, ''
    end
    return ok, string.format('%d %d', begins, after), begins + period - now
end
