/* An HMI on libmodbus: reads once, or tries to write once.
 *
 *   gcc -O2 mbread.c -o mbread -lmodbus && ./mbread PORT UNIT AREA START COUNT
 *
 * AREA is holding, input, coil or discrete: prints the values, one a line. Or write, write-coil: tries to write
 * COUNT zeros. Whatever the server refuses is printed as "refused: " and libmodbus's own words for it. */
#include <errno.h>
#include <modbus.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv) {
    if (argc != 6) return 2;
    const char *area = argv[3];
    int start = atoi(argv[4]), count = atoi(argv[5]), got = -1, bits = 0;
    uint16_t words[MODBUS_MAX_READ_REGISTERS] = {0};
    uint8_t flags[MODBUS_MAX_READ_BITS] = {0};
    if (count < 1 || count > MODBUS_MAX_WRITE_REGISTERS) return 2;
    modbus_t *ctx = modbus_new_tcp("127.0.0.1", atoi(argv[1]));
    if (!ctx || modbus_set_slave(ctx, atoi(argv[2])) || modbus_connect(ctx)) return 1;
    if (!strcmp(area, "holding")) got = modbus_read_registers(ctx, start, count, words);
    else if (!strcmp(area, "input")) got = modbus_read_input_registers(ctx, start, count, words);
    else if (!strcmp(area, "coil")) bits = 1, got = modbus_read_bits(ctx, start, count, flags);
    else if (!strcmp(area, "discrete")) bits = 1, got = modbus_read_input_bits(ctx, start, count, flags);
    else if (!strcmp(area, "write")) got = modbus_write_registers(ctx, start, count, words);
    else if (!strcmp(area, "write-coil")) bits = 1, got = modbus_write_bits(ctx, start, count, flags);
    else return 2;
    if (got < 0) printf("refused: %s\n", modbus_strerror(errno));
    for (int i = 0; i < got; i++) printf("%d\n", bits ? flags[i] : words[i]);
    modbus_close(ctx);
    modbus_free(ctx);
    return 0;
}
