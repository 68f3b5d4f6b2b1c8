/* The yardstick: libmodbus reads the same registers over and over.
 *
 *   gcc -O2 mbclient.c -o mbclient -lmodbus && ./mbclient PORT REGISTERS REQUESTS [UNIT]
 *
 * Reads holding 0..REGISTERS-1 from 127.0.0.1 REQUESTS times, one request after the other, and prints
 *   {"requests": 10000, "registers": 100, "requests_per_s": 31250.0, "cpu_us_per_request": 4.2}
 * The CPU is this process's own, in user and kernel mode, without connecting. */
#include <modbus.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

static double cpu_us(void) {
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return 1e6 * (used.ru_utime.tv_sec + used.ru_stime.tv_sec) + used.ru_utime.tv_usec + used.ru_stime.tv_usec;
}

static double wall_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return 1e6 * now.tv_sec + now.tv_nsec / 1e3;
}

int main(int argc, char **argv) {
    if (argc < 4) return 2;
    int registers = atoi(argv[2]), requests = atoi(argv[3]);
    if (registers < 1 || registers > MODBUS_MAX_READ_REGISTERS || requests < 1) return 2;
    uint16_t values[MODBUS_MAX_READ_REGISTERS];
    modbus_t *ctx = modbus_new_tcp("127.0.0.1", atoi(argv[1]));
    if (!ctx || modbus_set_slave(ctx, argc > 4 ? atoi(argv[4]) : 1) || modbus_connect(ctx)) return 1;
    double began = wall_us(), used = cpu_us();
    for (int i = 0; i < requests; i++)
        if (modbus_read_registers(ctx, 0, registers, values) != registers) return 1;
    used = cpu_us() - used;
    began = wall_us() - began;
    printf("{\"requests\": %d, \"registers\": %d, \"requests_per_s\": %.1f, \"cpu_us_per_request\": %.3f}\n",
           requests, registers, requests / began * 1e6, used / requests);
    modbus_close(ctx);
    modbus_free(ctx);
    return 0;
}
