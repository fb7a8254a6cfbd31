/* Weak stores of one writer. Its stores wait in a buffer and become visible in any order that C++20 allows:
 *   - stores to one location in their order;
 *   - a store(release) after all stores before it, and a store behind a fence(release) after all stores before the fence;
 *     but a store after a store(release) may pass it.
 * Readers load from memory[]. The includer defines LOCATIONS and BUFFER.
 */
typedef Store { byte where; byte value; byte group; bool release };

byte memory[LOCATIONS];
Store buffer[BUFFER];
byte buffered = 0;
byte group_now = 0;         /* how many release fences the writer has passed; counted while anything waits */

#define BUFFER_IS_FULL (buffered == BUFFER)

inline put(location, number, is_release) {
  atomic {
    buffered < BUFFER ->
    buffer[buffered].where = location;
    buffer[buffered].value = number;
    buffer[buffered].group = group_now;
    buffer[buffered].release = is_release;
    buffered++
  }
}
#define store_relaxed(location, number) put(location, number, false)
#define store_release(location, number) put(location, number, true)

inline fence_release() {
  d_step {
    if
    :: buffered > 0 -> group_now = buffer[buffered - 1].group + 1
    :: else -> group_now = 0
    fi
  }
}

/* The memory system: makes any store visible that may be. */
active proctype Memory() {
  byte at, i;
  bool allowed;
end:
  do
  :: atomic {
       buffered > 0 ->
       at = 0;
       do
       :: at + 1 < buffered -> at++
       :: break
       od;
       allowed = true;
       i = 0;
       do
       :: i < at ->
         if
         :: buffer[i].where == buffer[at].where || buffer[i].group < buffer[at].group || buffer[at].release -> allowed = false
         :: else
         fi;
         i++
       :: else -> break
       od;
       if
       :: allowed ->
         memory[buffer[at].where] = buffer[at].value;
         i = at;
         do
         :: i + 1 < buffered ->
           buffer[i].where = buffer[i + 1].where;
           buffer[i].value = buffer[i + 1].value;
           buffer[i].group = buffer[i + 1].group;
           buffer[i].release = buffer[i + 1].release;
           i++
         :: else -> break
         od;
         buffered--;
         buffer[buffered].where = 0;
         buffer[buffered].value = 0;
         buffer[buffered].group = 0;
         buffer[buffered].release = false
       :: else
       fi;
       at = 0;
       i = 0
     }
  od
}
