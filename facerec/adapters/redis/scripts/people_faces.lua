-- with: people_shared
-- Faces with where they are. ARGV: p, faces ... Returns for each {image hash, record, person ('' none)}, or nil.
local p = ARGV[1]
local found = {}
for i = 2, #ARGV do
  local record, hash = record_of(p, ARGV[i])
  found[i - 1] = record and {hash, record, redis.call('HGET', p .. 'faces:person', ARGV[i]) or ''} or false
end
return found
