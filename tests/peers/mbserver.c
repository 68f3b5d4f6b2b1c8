/* A Modbus TCP server on libmodbus: an implementation that shares no code with ours.
 *
 *   gcc -O2 mbserver.c -o mbserver -lmodbus && ./mbserver PORT [ADDRESSES [changing|still [HOSTS]]]
 *
 * Listens on 127.0.0.1 to 127.0.0.HOSTS (default 1: a device each), prints "ready", serves any unit and many connections from one map of
 * ADDRESSES (default 1000) coils, discrete inputs, holding and input registers. At the start
 * holding n is n, input n is 10000 + n, coil n is n % 3 == 0, discrete n is n % 5 == 0.
 * Past the end it answers exception 2. Writes are accepted. With "changing" every holding register
 * grows by one with each request: a load that no deadband thins. */
#include <modbus.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <unistd.h>

static int accepting(modbus_t *ctx, int listening) {
    return modbus_tcp_accept(ctx, &listening); /* sets its argument to -1 when it fails */
}

int main(int argc, char **argv) {
    int n = argc > 2 ? atoi(argv[2]) : 1000, changing = argc > 3 && !strcmp(argv[3], "changing");
    int port = argc > 1 ? atoi(argv[1]) : 1502, hosts = argc > 4 ? atoi(argv[4]) : 1;
    modbus_t *ctx = modbus_new_tcp("127.0.0.1", port);
    modbus_mapping_t *map = modbus_mapping_new(n, n, n, n);
    for (int i = 0; i < n; i++) {
        map->tab_registers[i] = (uint16_t)i;
        map->tab_input_registers[i] = (uint16_t)(10000 + i);
        map->tab_bits[i] = i % 3 == 0;
        map->tab_input_bits[i] = i % 5 == 0;
    }
    fd_set open, readable, doors;
    FD_ZERO(&open);
    FD_ZERO(&doors);
    int top = 0;
    for (int host = 1; host <= hosts; host++) {
        char address[32];
        snprintf(address, sizeof address, "127.0.0.%d", host);
        int listening = modbus_tcp_listen(modbus_new_tcp(address, port), 16);
        if (listening < 0) return 1;
        FD_SET(listening, &open);
        FD_SET(listening, &doors);
        if (listening > top) top = listening;
    }
    puts("ready");
    fflush(stdout);
    for (;;) {
        readable = open;
        if (select(top + 1, &readable, NULL, NULL, NULL) < 0) return 1;
        for (int fd = 0; fd <= top; fd++) {
            if (!FD_ISSET(fd, &readable)) continue;
            if (FD_ISSET(fd, &doors)) {
                int fresh = accepting(ctx, fd);
                if (fresh < 0) continue;
                FD_SET(fresh, &open);
                if (fresh > top) top = fresh;
                continue;
            }
            uint8_t query[MODBUS_TCP_MAX_ADU_LENGTH];
            modbus_set_socket(ctx, fd);
            int length = modbus_receive(ctx, query);
            for (int i = 0; changing && length > 0 && i < n; i++) map->tab_registers[i]++;
            if (length > 0) modbus_reply(ctx, query, length, map);
            else if (length < 0) { close(fd); FD_CLR(fd, &open); }
        }
    }
}
