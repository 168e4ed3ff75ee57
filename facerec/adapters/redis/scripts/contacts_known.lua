-- with: contacts_shared
-- All representatives of a user at one moment. ARGV: p, user, version that the asker has, '' for none.
-- Returns {version} when it is still that, else {version, number of stale contacts, then for each: contact, face_id, document,
-- face record}.
local p, user, version = unpack(ARGV)
local current = version_of(p, user)
if version == current then return {current} end
local reply = {current, #stale_of(p, user)}
local leaders = redis.call('HGETALL', contacts_key(p, 'leaders', user))
for i = 1, #leaders, 2 do
  local contact = leaders[i]
  for number in leaders[i + 1]:gmatch('%S+') do
    local text = redis.call('HGET', contact_key(p, user, contact), number)
    local record = text and record_of_contact_face(p, text)
    if record then
      local at = #reply
      reply[at + 1], reply[at + 2], reply[at + 3], reply[at + 4] = contact, number, text, record
    end
  end
end
return reply
