-- How an image comes in: for admit.lua, queued.lua and announce.lua.

-- An image is at the front door: its state ('new' for none) and a ticket. A finished one gets the name.
local function admitted(p, hash, name)
  local ticket = string.format('%.0f', redis.call('INCR', 'ticket'))
  local state = redis.call('HGET', document(p, hash), 'state') or 'new'
  if state == 'done' then
    remember_name(p, hash, name, ticket)
    publish_name(p, hash, name)
  end
  return state, ticket
end

-- A job is about to be published. It is written down first, so that a job that the broker loses leaves a trace. When the image is
-- in work or done already, only the name is new.
local function queue(owner, p, hash, name, ticket, queued_at)
  if is_erased(p, hash, ticket) then return 'erased' end
  local key = document(p, hash)
  ensure_document(owner, p, hash, ticket, queued_at)
  remember_name(p, hash, name, ticket)
  redis.call('HSET', key, 'announced', ticket)
  local state = redis.call('HGET', key, 'state')
  if state == 'done' then
    publish_name(p, hash, name)
    return 'ok'
  end
  -- Whether a job is lost is asked of the newest: see lost.lua.
  redis.call('HSET', key, 'queued_at', queued_at)
  if not state or (state == 'failed' and tonumber(redis.call('HGET', key, 'failed_ticket')) < tonumber(ticket)) then
    redis.call('HDEL', key, 'code', 'reason', 'done_at')
    set_state(owner, p, hash, 'queued')
  end
  return 'ok'
end
