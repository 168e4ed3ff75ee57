-- Since when the image that is queued longest waits: seconds since the epoch, and those of now; nothing when none does. What is no
-- longer queued, as it was erased or done by a worker of the release before, is struck out, some at each call.
for _, member in ipairs(redis.call('ZRANGE', QUEUED, 0, 999)) do
  local p, hash = split_key(member)
  local state = redis.pcall('HGET', document(p, hash), 'state')
  if state == 'queued' then return {redis.call('ZSCORE', QUEUED, member), seconds_text(seconds_now())} end
  redis.call('ZREM', QUEUED, member)
end
return {}
