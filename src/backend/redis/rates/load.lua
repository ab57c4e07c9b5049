local held = redis.call('MGET', unpack(KEYS))
held[#KEYS + 1] = now
return held
