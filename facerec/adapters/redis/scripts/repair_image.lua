-- with: people_shared
-- with: findface_shared
-- with: contacts_shared
-- with: repair_shared
-- Make the lists agree with an image's document; take what is not done out of databases 1 to 4.
-- ARGV: owner, p, hash, now, journal length.
local owner, p, hash, now, length = unpack(ARGV)
local key = document(p, hash)
if redis.call('EXISTS', key) == 0 then
  if take_out(owner, p, hash, '0', length) > 0 then have_all_loaded_anew(length, owner, hash) end
  redis.call('DEL', p .. 'names:' .. hash)
  redis.call('ZREM', p .. 'images', hash)
  for _, state in ipairs(OPEN_STATES) do redis.call('ZREM', p .. 'state:' .. state, hash) end
  return 'gone'
end
local doc = redis.call('HMGET', key, 'state', 'ticket')
local state, ticket = doc[1], doc[2]
if not tonumber(ticket) then
  local listed = redis.call('ZSCORE', p .. 'images', hash)
  ticket = listed and string.format('%.0f', listed) or new_ticket()
  redis.call('HSET', key, 'ticket', ticket)
end
advance_counter(ticket)
redis.call('ZADD', p .. 'images', ticket, hash)
redis.call('SADD', 'owners', owner)
if not KNOWN_STATES[state] then
  unfinish(owner, p, hash, ticket, now, length, 'its state was not known')
elseif state == 'done' then
  for _, other in ipairs(OPEN_STATES) do redis.call('ZREM', p .. 'state:' .. other, hash) end
else
  if take_out(owner, p, hash, ticket, length) > 0 then have_all_loaded_anew(length, owner, hash) end
  set_state(owner, p, hash, state)
end
return 'ok'
