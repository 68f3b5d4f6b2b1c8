/* A Modbus RTU slave on libmodbus: an implementation that shares no code with ours.
 *
 *   gcc -O2 rtuslave.c -o rtuslave -lmodbus && ./rtuslave DEVICE BAUD [PARITY [UNIT…]]
 *
 * Opens DEVICE with 8 data bits, PARITY (N, E or O; default N) and 1 stop bit, prints "ready" and
 * answers for each UNIT (default 1) from a map of its own. Holding n is n, input n is 10000 + n,
 * coil n is n % 3 == 0, discrete n is n % 5 == 0 at the start, n in 0..999; past the end it answers
 * exception 2. Holding 999 is the unit id. Writes are accepted; other units' requests are ignored.
 *
 * With one unit libmodbus reads the line itself; it takes what follows a request to another unit within
 * 100 ms for that unit's answer. It filters by one unit only, so with several the requests are cut here,
 * by function code and CRC, and libmodbus composes the answers. */
#include <errno.h>
#include <modbus.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SIZE 1000
#define QUIET_MS 200 /* what is missing of a frame by then never comes */

static modbus_mapping_t *filled(int unit) {
    modbus_mapping_t *map = modbus_mapping_new(SIZE, SIZE, SIZE, SIZE);
    for (int i = 0; i < SIZE; i++) {
        map->tab_registers[i] = (uint16_t)i;
        map->tab_input_registers[i] = (uint16_t)(10000 + i);
        map->tab_bits[i] = i % 3 == 0;
        map->tab_input_bits[i] = i % 5 == 0;
    }
    map->tab_registers[SIZE - 1] = (uint16_t)unit;
    return map;
}

static int sound(const uint8_t *frame, int length) {
    uint16_t crc = 0xFFFF;
    for (int i = 0; i < length; i++) { /* over data and CRC together: 0 if nothing is wrong */
        crc ^= frame[i];
        for (int bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >> 1) ^ 0xA001 : crc >> 1;
    }
    return crc == 0;
}

/* The length of the request whose first `have` bytes are known; 0: not known yet. */
static int request_length(const uint8_t *frame, int have) {
    if (have < 2) return 0;
    switch (frame[1]) {
    case 15: case 16: return have > 6 ? frame[6] + 9 : 0;
    case 22: return 10;
    case 23: return have > 10 ? frame[10] + 13 : 0;
    case 7: case 11: case 12: case 17: return 4;
    default: return 8;
    }
}

/* The next sound request; 0 if there was only noise. */
static int receive(int fd, uint8_t *frame) {
    int have = 0;
    for (;;) {
        struct pollfd line = {fd, POLLIN, 0};
        if (poll(&line, 1, have ? QUIET_MS : -1) == 0) return 0;
        ssize_t got = read(fd, frame + have, 1);
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
        if (got <= 0) exit(1);
        have++;
        int length = request_length(frame, have);
        if (length && have == length) return sound(frame, have) ? have : 0;
        if (have == MODBUS_RTU_MAX_ADU_LENGTH) return 0;
    }
}

int main(int argc, char **argv) {
    if (argc < 3) return 2;
    modbus_t *ctx = modbus_new_rtu(argv[1], atoi(argv[2]), argc > 3 ? argv[3][0] : 'N', 8, 1);
    modbus_mapping_t *maps[256] = {0};
    int alone = argc > 4 ? atoi(argv[4]) : 1;
    maps[alone] = filled(alone);
    for (int i = 5; i < argc; i++) maps[atoi(argv[i])] = filled(atoi(argv[i]));
    if (!ctx || modbus_set_slave(ctx, alone) || modbus_connect(ctx)) return 1;
    modbus_set_response_timeout(ctx, 0, 100000);
    puts("ready");
    fflush(stdout);
    for (;;) {
        uint8_t query[MODBUS_RTU_MAX_ADU_LENGTH];
        int length;
        if (argc <= 5) {
            length = modbus_receive(ctx, query);
            if (length < 0 && errno == EIO) return 1;
        } else if ((length = receive(modbus_get_socket(ctx), query)) > 0) {
            modbus_set_slave(ctx, query[0]);
        }
        if (length > 0 && maps[query[0]]) modbus_reply(ctx, query, length, maps[query[0]]);
    }
}
