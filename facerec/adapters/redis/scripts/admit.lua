-- An image is at the front door. ARGV: owner, p, hash, name. Returns {state, ticket}.
local owner, p, hash, name = unpack(ARGV)
local ticket = string.format('%.0f', redis.call('INCR', 'ticket'))
local state = redis.call('HGET', document(p, hash), 'state') or 'new'
if state == 'done' then
  remember_name(p, hash, name, ticket)
  publish_name(p, hash, name)
end
return {state, ticket}
