-- with: people_check_shared
-- Look at people. ARGV: p, then looks of three arguments each. Returns for each look what is wrong, in words.
local p, found = ARGV[1], {}
for i = 2, #ARGV, 3 do found[#found + 1] = LOOKS[ARGV[i]](p, ARGV[i + 1], ARGV[i + 2]) end
return found
