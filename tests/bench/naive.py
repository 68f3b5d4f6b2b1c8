"""The reference: what one writes in an afternoon. `naive.py MODBUS_PORT MQTT_PORT DEVICES REGISTERS SECONDS`

pymodbus reads a block, every value becomes a dict, a JSON text and a QoS 1 message of its own, one
after the other, on the libraries' defaults. It never waits for one acknowledgement, only for room
among the messages on their way. Prints the points that were acknowledged.
"""

from __future__ import annotations

import json
import sys
import threading
import time

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from pymodbus.client import ModbusTcpClient

WINDOW = 1_000

modbus_port, mqtt_port, devices, registers, seconds = map(int, sys.argv[1:6])
room = threading.Semaphore(WINDOW)
client = mqtt.Client(CallbackAPIVersion.VERSION2)
client.on_publish = lambda *_: room.release()
client.connect("127.0.0.1", mqtt_port)
client.loop_start()
plcs = [ModbusTcpClient("127.0.0.1", port=modbus_port) for _ in range(devices)]
for plc in plcs:
    plc.connect()
points = 0
began, cpu = time.monotonic(), time.process_time()
while time.monotonic() < began + seconds:
    for number, plc in enumerate(plcs):
        answer = plc.read_holding_registers(0, count=registers, device_id=1)
        now = time.time()
        for address, value in enumerate(answer.registers):
            payload = json.dumps({"device": number, "tag": f"r{address}", "time": now, "value": value})
            room.acquire()
            client.publish(f"naive/{number}/r{address}", payload, qos=1)
            points += 1
for _ in range(WINDOW):
    room.acquire()
told = {"points": points, "cpu_s": time.process_time() - cpu, "seconds": time.monotonic() - began}
for plc in plcs:
    plc.close()
client.disconnect()
client.loop_stop()
print(json.dumps(told))
