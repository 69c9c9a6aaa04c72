package simulated

import "github.com/customerportal-go/customerportal/device"

// Lock returns a lock with 20 slots for PINs of 4 to 8 digits, a door sensor and a battery. It is locked and closed.
func Lock(id, name string) device.Device {
	return device.Device{
		ID: id, Name: name, Manufacturer: "Simulated", Model: "Lock",
		Capabilities: []device.Capability{
			device.CanLock, device.CanUnlock, device.CanProgram, device.ReportsLock, device.ReportsDoor, device.ReportsBattery,
		},
		Codes: &device.CodeLimits{
			Slots: 20, Lengths: []int{4, 5, 6, 7, 8}, Constraints: []device.Constraint{device.NoAllSameDigits}, NameLength: 30, ReadsPIN: true,
		},
		State: device.State{Locked: device.Known(true), DoorOpen: device.Known(false), Battery: device.Known(0.9)},
	}
}

// Thermostat returns a thermostat that heats and cools from 7 to 30 °C and has a fan. It heats to 20 °C.
func Thermostat(id, name string) device.Device {
	return device.Device{
		ID: id, Name: name, Manufacturer: "Simulated", Model: "Thermostat",
		Capabilities: []device.Capability{device.CanSetClimate, device.ReportsTemperature, device.ReportsHumidity},
		Climate: &device.ClimateLimits{
			Modes:    []device.HVACMode{device.HVACOff, device.HVACHeat, device.HVACCool, device.HVACHeatCool},
			FanModes: []device.FanMode{device.FanAuto, device.FanOn},
			Heating:  &device.Range{Min: 7, Max: 30}, Cooling: &device.Range{Min: 7, Max: 30}, MinDelta: 2,
		},
		State: device.State{
			Mode: device.Known(device.HVACHeat), HeatingSetPoint: device.Known(20.0), CoolingSetPoint: device.Known(26.0),
			FanMode: device.Known(device.FanAuto), Temperature: device.Known(19.5), Humidity: device.Known(0.45),
			Heating: device.Known(true), Cooling: device.Known(false), FanRunning: device.Known(false),
		},
	}
}

// ContactSensor returns a sensor on a closed door or window.
func ContactSensor(id, name string) device.Device {
	return sensor(id, name, "Contact", device.ReportsDoor, device.State{DoorOpen: device.Known(false)})
}

// LeakSensor returns a sensor that reports no water.
func LeakSensor(id, name string) device.Device {
	return sensor(id, name, "Leak", device.ReportsLeak, device.State{Leak: device.Known(false)})
}

// NoiseSensor returns a sensor in a quiet room.
func NoiseSensor(id, name string) device.Device {
	return sensor(id, name, "Noise", device.ReportsNoise, device.State{Noise: device.Known(35.0)})
}

func sensor(id, name, model string, reports device.Capability, s device.State) device.Device {
	s.Battery = device.Known(0.95)
	return device.Device{
		ID: id, Name: name, Manufacturer: "Simulated", Model: model,
		Capabilities: []device.Capability{reports, device.ReportsBattery}, State: s,
	}
}
