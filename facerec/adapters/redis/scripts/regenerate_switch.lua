-- with: regenerate_shared
-- The cut-over, or its way back: in this one step everybody who looks sees the other set. ARGV: run, now, journal length.
-- Returns 'switched', 'not yet', 'given up', or 'no'.
local run, now, length = unpack(ARGV)
if not own_of(run) or redis.call('HGET', RUN, 'state') ~= 'switching' then return 'no' end
-- Commits wait behind the barrier; when it has fallen, pictures came that are in one set alone.
if redis.call('EXISTS', BARRIER) == 0 then
  redis.call('HSET', RUN, 'state', 'running', 'trouble', 'a switch took too long and was given up')
  return 'given up'
end
if redis.call('HGET', RUN, 'walked') ~= '1' or redis.call('ZCARD', PENDING) > 0 then return 'not yet' end

redis.call('SWAPDB', FACES, ASIDE_FACES)
redis.call('SWAPDB', LINKS, ASIDE_LINKS)
for _, owner in ipairs(redis.call('SMEMBERS', 'owners')) do
  local crowd = prefix_of(owner) .. 'crowd'
  local aside, between = crowd .. ':aside', crowd .. ':between'
  if redis.call('EXISTS', crowd) == 1 then redis.call('RENAME', crowd, between) end
  if redis.call('EXISTS', aside) == 1 then redis.call('RENAME', aside, crowd) end
  if redis.call('EXISTS', between) == 1 then redis.call('RENAME', between, aside) end
end
forget_crowds()
local model, aside_model = redis.call('GET', 'model'), redis.call('HGET', RUN, 'aside_model')
redis.call('SET', 'model', aside_model)
redis.call('HSET', RUN, 'aside_model', model, 'state', 'running', 'switched_at', now, 'settle', 0)
redis.call('HDEL', RUN, 'trouble')
redis.call('INCR', 'contacts:sets')
if is_switched() then
  redis.call('DEL', SWITCHED)
  redis.call('HDEL', RUN, 'until')
else
  redis.call('SET', SWITCHED, run)
  redis.call('HSET', RUN, 'until', string.format('%.6f', tonumber(now) + tonumber(redis.call('HGET', RUN, 'keep'))))
end
redis.call('DEL', BARRIER)
tell_sets(length, 'switch')
return 'switched'
