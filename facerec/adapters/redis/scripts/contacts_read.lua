-- with: contacts_shared
-- Contacts at one moment. ARGV: p, user, 1 for face records too, 'all' or 'some', then contacts.
-- Returns {version, stale contacts, then for each contact: its id, flat list of face_id and document, face records}.
local p, user, with_records, which = ARGV[1], ARGV[2], ARGV[3] == '1', ARGV[4]
local wanted = which == 'all' and redis.call('SMEMBERS', contacts_key(p, 'list', user)) or {}
for i = 5, #ARGV do wanted[#wanted + 1] = ARGV[i] end
local reply = {version_of(p, user), stale_of(p, user)}
for _, contact in ipairs(wanted) do
  local flat, records = redis.call('HGETALL', contact_key(p, user, contact)), {}
  if with_records then
    for i = 2, #flat, 2 do records[i / 2] = record_of_contact_face(p, flat[i]) or '' end
  end
  reply[#reply + 1] = contact
  reply[#reply + 1] = flat
  reply[#reply + 1] = records
end
return reply
