-- with: people_shared
-- Make a person who has no face yet. ARGV: p, now, name (not empty: a person without name and face is none), the
-- call's token. Returns the id.
local p, now, name, token = unpack(ARGV)
local before = answered(p, token)
if before then return before[1] end
local person = create(p, now)
edit(p, person, {name = name})
refresh(p, person, now)
bump(p)
return answer(p, token, {person})[1]
