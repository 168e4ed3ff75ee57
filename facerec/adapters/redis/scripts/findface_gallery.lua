-- with: findface_shared
-- Make or remove a gallery, in a step that does not grow with it. ARGV: p, 'add' or 'remove', name, the
-- call's token.
-- Returns 'ok', 'exists', 'unknown', or 'unfinished' when an earlier removal must be finished first.
-- With 'remove' the gallery is gone for everybody, and findface_unlist.lua is to take its faces out; they stay in 'default'.
local p, what, name, token = unpack(ARGV)
local before = answered(p, token)
if before then return before[1] end
local number = number_of(p, name)
if is_being_removed(p, name) then return 'unfinished' end
if what == 'add' then
  if number then return 'exists' end
  redis.call('ZADD', p .. 'galleries', string.format('%.0f', redis.call('INCR', 'gallery')), name)
  return answer(p, token, {'ok'})[1]
end
if not number then return 'unknown' end
redis.call('ZADD', p .. 'galleries', string.format('%.0f', -number), name)
note_unfinished(gallery_key(p, name))
-- No entry of the log tells of this version: workers that follow the gallery read it anew, and find it empty.
redis.call('HINCRBY', p .. 'gallery:versions', name, 1)
return answer(p, token, {'ok'})[1]
