"""The reference: what one writes in an afternoon. `naive.py MODBUS_PORT MQTT_PORT DEVICES REGISTERS SECONDS`

pymodbus reads a block, every value becomes a dict, a JSON text and a QoS 1 message of its own, one
after the other, on the libraries' defaults. Prints the points published and acknowledged.
"""

from __future__ import annotations

import json
import sys
import time

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from pymodbus.client import ModbusTcpClient

modbus_port, mqtt_port, devices, registers, seconds = map(int, sys.argv[1:6])
client = mqtt.Client(CallbackAPIVersion.VERSION2)
client.max_inflight_messages_set(100)
client.connect("127.0.0.1", mqtt_port)
client.loop_start()
plcs = [ModbusTcpClient("127.0.0.1", port=modbus_port) for _ in range(devices)]
for plc in plcs:
    plc.connect()
points = 0
end = time.monotonic() + seconds
while time.monotonic() < end:
    for number, plc in enumerate(plcs):
        answer = plc.read_holding_registers(0, count=registers, device_id=1)
        now = time.time()
        for address, value in enumerate(answer.registers):
            payload = json.dumps({"device": number, "tag": f"r{address}", "time": now, "value": value})
            last = client.publish(f"naive/{number}/r{address}", payload, qos=1)
            points += 1
        last.wait_for_publish(10)
for plc in plcs:
    plc.close()
client.disconnect()
client.loop_stop()
print(json.dumps({"points": points, "cpu_s": time.process_time()}))
