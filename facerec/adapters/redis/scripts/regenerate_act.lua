-- with: regenerate_shared
-- Somebody wants something of the regeneration. ARGV: what, now, journal length, seconds until a switch that cannot be made is
-- given up. Returns 'ok', or why not.
local what, now, length, patience = unpack(ARGV)
local doc = redis.call('HMGET', RUN, 'state', 'open', 'walked')
if not doc[1] then return 'there is no regeneration' end
if doc[2] ~= '1' then return 'its set is being dropped' end
if what == 'pause' or what == 'resume' then
  if doc[1] == 'switching' then return 'the sets are being switched' end
  redis.call('HSET', RUN, 'state', what == 'pause' and 'paused' or 'running')
  return 'ok'
end
if what == 'cancel' or what == 'finish' then
  if (what == 'finish') ~= is_switched() then
    return what == 'finish' and 'it has not been cut over' or 'it has been cut over: roll back first, or finish'
  end
  tell_sets(length, 'close')
  redis.call('HSET', RUN, 'open', 0, 'state', 'dropping', 'ended', what)
  redis.call('HDEL', RUN, 'cursor_owner', 'cursor_ticket')
  redis.call('UNLINK', PENDING, UNSENT)
  redis.call('DEL', BARRIER)
  return 'ok'
end
if doc[1] == 'switching' then return 'ok' end
if (what == 'roll back') ~= is_switched() then
  return what == 'roll back' and 'it has not been cut over' or 'it has been cut over'
end
if doc[3] ~= '1' then return 'not all images have been looked at' end
if redis.call('HGET', RUN, 'settle') then return 'the faces of the last switch are still being listed' end
if redis.call('ZCOUNT', PENDING, PARKED, '+inf') > 0 then return 'some faces are in no share' end
if redis.call('ZCARD', PENDING) > 100 then return 'it is not complete' end
redis.call('HSET', RUN, 'state', 'switching')
redis.call('SET', BARRIER, what, 'EX', patience)
return 'ok'
