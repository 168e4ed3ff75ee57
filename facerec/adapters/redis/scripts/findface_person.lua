-- with: people_shared
-- Make a person who has no face yet. ARGV: p, now, name (not empty: a person without name and face is none). Returns the id.
local p, now, name = unpack(ARGV)
local person = create(p, now)
edit(p, person, {name = name})
refresh(p, person, now)
bump(p)
return person
