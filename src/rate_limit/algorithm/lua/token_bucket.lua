function(held, now, op, units, unit, micro, empty, most, rounds)
    -- A unit costs `unit`, a microsecond pays off `micro`; both arithmetics of the bucket are this one.
    local debt, cut = 0, false
    if held then
        local full, part = tonumber(held), 0
        if not full then
            local first, second = string.match(held, '^(%d+) (%d+)')
            if not first then return nil end
            full, part = tonumber(first), tonumber(second)
            if rounds == 1 then
                if part > 0 then full, part = full + 1, 0 end
            elseif part >= micro then
                part = micro - 1
            end
        end
        if full >= now then
            debt = (full - now) * micro + part
            -- Up to a second more is owed where the clock went back that far.
            if debt - most > 1000000 * micro then debt, cut = most, true end
        end
    end
    local ok, after = true, nil
    if op < 2 then
        local cost = op == 1 and units or 1
        if cost > 0 and debt + unit * cost > empty then
            ok = false
        elseif op == 1 and cost > 0 then
            after = debt + unit * cost
        end
    elseif op == 2 then
        after = math.max(debt - unit * units, 0)
    elseif op == 3 then
        after = math.min(debt + unit * units, math.max(most, debt))
    else
        after = 0
    end
    if not after then
        if not cut then return ok end
        after = debt
    end
    if after == 0 then return ok, '' end
    local part = after % micro
    local whole = (after - part) / micro
    if part == 0 then return ok, string.format('%d', now + whole), whole end
    return ok, string.format('%d %d', now + whole, part), whole + 1
end
