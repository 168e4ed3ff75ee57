-- with: people_shared
-- Give faces to somebody else, some in each step. ARGV: p, token, now, 'try' (only look whether they can be given) or 'give', op,
-- source, target, chain ('' for an operation of one step), how many faces are left to give with these, faces ...
-- op: move, split (out of the source, into a new person) or not (out of the source, and never again into it by itself).
-- source: the person that has all these faces, '' for any. target: a person, 'new', or '' for nobody.
-- Returns {'ok', target}, {'not_found', reason} or {'bad', parameter, reason}.
local p, token, now, does, op, source, target, chain, left = unpack(ARGV, 1, 9)
local done = answered(p, token)
if done then return done end
for _, person in ipairs({source, target}) do
  if person ~= '' and person ~= 'new' and not exists(p, person) then
    return {'not_found', 'there is no person ' .. person}
  end
end

local faces = {}
for i = 10, #ARGV do faces[#faces + 1] = ARGV[i] end
local current = persons_of(p, faces)
local moving = {}
for _, face in ipairs(faces) do
  local person = current[face]
  if not person and not record_of(p, face) then return {'not_found', 'there is no face ' .. face} end
  if source ~= '' and person ~= source then
    return {'bad', 'faces', 'face ' .. face .. ' is not one of person ' .. source}
  end
  if person ~= target then moving[#moving + 1] = face end
end
if op == 'split' and size_of(p, source) == tonumber(left) then
  return {'bad', 'faces', 'nothing would be left of person ' .. source}
end
if does == 'try' then return {'ok', target} end
if #moving > 0 then target = give(p, now, op, moving, target, source, chain ~= '' and chain or nil) end
return answer(p, token, {'ok', target})
