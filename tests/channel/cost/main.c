/* What a message costs, counted, over each transport. */
#include "cost.h"
#include "count.h"

const plain_message a_plain_message = { .sequence = 1 };
static uint32_t numbers[] = { 1, 2, 3 };
const packed_message a_packed_message = { .text = "hello",
                                          .numbers = { numbers, 3 },
                                          .more = LEAT_SOME("more") };

int main(void) {
        int result = count_costs("never", measure_sockets, SOCKET_ROWS);

        return result == 0 ? count_costs("always", measure_lanes, LANE_ROWS) : result;
}
