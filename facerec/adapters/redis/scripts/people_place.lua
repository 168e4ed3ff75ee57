-- with: people_shared
-- A step of the grouping. ARGV: position, next position, now, number of owners, then for each: p, version, number of faces,
-- and for each face: its id and where it goes: '' nobody, a person, or -1, -2 ... for persons that are founded now.
-- Returns {'written'}, {'moved', position} when somebody else placed the faces, or {'changed'} when people changed since
-- they were looked at; then nothing is written.
local position, following, now = ARGV[1], ARGV[2], ARGV[3]
local current = redis.call('GET', 'grouping:position') or '0'
if current ~= position then return {'moved', current} end
if redis.call('EXISTS', 'import') == 1 then return {'changed'} end
local owners, at = {}, 4
local function argument()
  at = at + 1
  return ARGV[at]
end
for i = 1, tonumber(ARGV[4]) do
  local owner = {p = argument(), version = argument(), faces = {}}
  for n = 1, tonumber(argument()) do owner.faces[n] = {argument(), argument()} end
  if (redis.call('GET', owner.p .. 'people:version') or '0') ~= owner.version then return {'changed'} end
  owners[i] = owner
end

for _, owner in ipairs(owners) do
  local p, groups, founded, touched, order = owner.p, {}, {}, {}, {}
  for _, face in ipairs(owner.faces) do
    local person = face[2]
    if person:sub(1, 1) == '-' then
      founded[person] = founded[person] or create(p, now)
      person = founded[person]
    end
    if not groups[person] then
      groups[person] = {}
      order[#order + 1] = person
    end
    table.insert(groups[person], face[1])
  end
  for _, person in ipairs(order) do put(p, groups[person], person, touched) end
  refresh_all(p, touched, now)
  bump(p)
end
redis.call('SET', 'grouping:position', following)
return {'written'}
