// Package zigbee2mqtt is the driver for devices behind an MQTT broker: Zigbee locks, thermostats and sensors of Zigbee2MQTT, and
// devices of other programs that announce themselves with the MQTT discovery of Home Assistant.
//
//	provider, err := zigbee2mqtt.New(zigbee2mqtt.Options{AllowedHosts: []string{"192.0.2.7"}})
//
// An account is one Zigbee2MQTT, identified by the address of its coordinator. Its devices are identified by their IEEE addresses, so
// they keep their ids when they are renamed. If a broker has no Zigbee2MQTT, the account is the broker, identified by its address.
//
// # What counts as confirmed
//
// Zigbee2MQTT does not answer to commands. It publishes the whole state of a device whenever any part of it changes, so a
// publication may repeat old values. The driver therefore confirms a command only if the device reported an operation afterwards, if
// the published value changed to the desired one, or if two reads after the command show the desired value and Zigbee2MQTT has not
// reported a failure. Zigbee2MQTT hides the reason for which a lock refused a code: the driver then returns
// [device.ErrUnconfirmed], or a rejection as duplicate if it can read the same PIN in another slot.
//
// Messages of the log of Zigbee2MQTT can contain PINs. The driver reads from them only that a command failed.
//
// # Bounds
//
// Packets of more than 16 MiB end the connection. A device of more than 256 KiB in bridge/devices, bridge/info of more than 4 MiB, an
// announcement of more than 64 KiB and any other message of more than 256 KiB are ignored. An account has at most 20,000 devices,
// and 32 MiB of announcements.
//
// Files, in reading order:
//
//	provider.go   Options, connecting and opening an account
//	settings.go   the settings of an account
//	link.go       the connection to the broker
//	conn.go       the Conn: devices and their inventory
//	subscribe.go  subscriptions, and reading states after connecting
//	receive.go    received messages
//	watch.go      events
//	bridge.go     decoding messages of the bridge
//	exposes.go    decoding the properties of a device
//	state.go      decoding states
//	value.go      decoding values of any type
//	discovery.go  decoding announcements of Home Assistant's discovery
//	generic.go    devices that were announced this way
//	exchange.go   commands and their confirmation
//	do.go         Do
//	codes.go      access codes
package zigbee2mqtt
