package httpapi

import (
	"cmp"
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/portal/internal/jsonobject"
	"github.com/customerportal-go/customerportal/validation"
)

// lockRequest names a lock.
type lockRequest struct{ ID uuid.UUID }

func (r *lockRequest) input() input {
	return input{params: []jsonobject.Field{required(bind("device_id", &r.ID, idParam))}}
}

func lockDoor(ctx context.Context, c *call, r *lockRequest) (jsonObject, error) {
	return c.do(ctx, r.ID, device.Command{Kind: device.Lock}, nil)
}

func unlockDoor(ctx context.Context, c *call, r *lockRequest) (jsonObject, error) {
	return c.do(ctx, r.ID, device.Command{Kind: device.Unlock}, nil)
}

// do sends a command to a device and returns the response with the action attempt. paths are the parameters of the settings, by
// their paths in the command. Other faults of the command are faults of device_id.
func (c *call) do(ctx context.Context, id uuid.UUID, command device.Command, paths map[string]string) (jsonObject, error) {
	attempt, err := c.scope("").Do(ctx, id, command, data.Actor{}, 0)
	if err != nil {
		return nil, mapFaultPaths(err, func(path string) string {
			if name := paths[path]; name != "" {
				return name
			}
			return "device_id"
		})
	}
	return jsonObject{"action_attempt": attemptJSON(attempt)}, nil
}

// setPoint is a set point in one of the two units.
type setPoint struct{ Celsius, Fahrenheit *float64 }

func (p *setPoint) params(name string) []jsonobject.Field {
	return []jsonobject.Field{bind(name+"_celsius", &p.Celsius, numberParam), bind(name+"_fahrenheit", &p.Fahrenheit, numberParam)}
}

// in returns the set point in °C, and the name of its parameter.
func (p *setPoint) in(name string) (value device.Optional[float64], param string, err error) {
	switch {
	case p.Celsius != nil && p.Fahrenheit != nil:
		return value, "", invalidInput(0, validation.Finding{
			Path: name + "_fahrenheit", Rule: validation.RuleFormat, Message: "is given together with " + name + "_celsius: give one of them",
		})
	case p.Celsius != nil:
		return device.Known(*p.Celsius), name + "_celsius", nil
	case p.Fahrenheit != nil:
		return device.Known((*p.Fahrenheit - 32) * 5 / 9), name + "_fahrenheit", nil
	}
	return value, name + "_celsius", nil
}

const (
	heatingField = "heating_set_point"
	coolingField = "cooling_set_point"
)

// climateRequest changes the mode and the set points of a thermostat. Each operation uses a part of it.
type climateRequest struct {
	ID               uuid.UUID
	Mode             string
	Heating, Cooling setPoint
}

func (r *climateRequest) inputFor(groups ...[]jsonobject.Field) input {
	params := []jsonobject.Field{required(bind("device_id", &r.ID, idParam))}
	for _, group := range groups {
		params = append(params, group...)
	}
	return input{params: params}
}

type (
	heatRequest     struct{ climateRequest }
	coolRequest     struct{ climateRequest }
	heatCoolRequest struct{ climateRequest }
	offRequest      struct{ climateRequest }
	hvacModeRequest struct{ climateRequest }
)

func (r *heatRequest) input() input { return r.inputFor(r.Heating.params(heatingField)) }
func (r *coolRequest) input() input { return r.inputFor(r.Cooling.params(coolingField)) }
func (r *heatCoolRequest) input() input {
	return r.inputFor(r.Heating.params(heatingField), r.Cooling.params(coolingField))
}
func (r *offRequest) input() input { return r.inputFor() }
func (r *hvacModeRequest) input() input {
	mode := []jsonobject.Field{required(bind("hvac_mode_setting", &r.Mode, hvacModeParam))}
	return r.inputFor(mode, r.Heating.params(heatingField), r.Cooling.params(coolingField))
}

func heat(ctx context.Context, c *call, r *heatRequest) (jsonObject, error) {
	return c.setClimate(ctx, &r.climateRequest, device.HVACHeat)
}

func cool(ctx context.Context, c *call, r *coolRequest) (jsonObject, error) {
	return c.setClimate(ctx, &r.climateRequest, device.HVACCool)
}

func heatCool(ctx context.Context, c *call, r *heatCoolRequest) (jsonObject, error) {
	return c.setClimate(ctx, &r.climateRequest, device.HVACHeatCool)
}

func turnOff(ctx context.Context, c *call, r *offRequest) (jsonObject, error) {
	return c.setClimate(ctx, &r.climateRequest, device.HVACOff)
}

func setHVACMode(ctx context.Context, c *call, r *hvacModeRequest) (jsonObject, error) {
	mode := device.HVACMode(r.Mode)
	for _, p := range []struct {
		name   string
		given  setPoint
		modeOf device.HVACMode // besides heat_cool
	}{{heatingField, r.Heating, device.HVACHeat}, {coolingField, r.Cooling, device.HVACCool}} {
		if p.given != (setPoint{}) && mode != p.modeOf && mode != device.HVACHeatCool {
			_, name, _ := p.given.in(p.name)
			return nil, invalidInput(0, validation.Finding{
				Path: cmp.Or(name, p.name+"_celsius"), Rule: validation.RuleUnknownField, Message: "is not a setting of the mode " + r.Mode,
			})
		}
	}
	return c.setClimate(ctx, &r.climateRequest, device.HVACMode(r.Mode))
}

func (c *call) setClimate(ctx context.Context, r *climateRequest, mode device.HVACMode) (jsonObject, error) {
	heating, heatingParam, err := r.Heating.in(heatingField)
	if err != nil {
		return nil, err
	}
	cooling, coolingParam, err := r.Cooling.in(coolingField)
	if err != nil {
		return nil, err
	}
	modeParam := "device_id"
	if r.Mode != "" {
		modeParam = "hvac_mode_setting"
	}
	all := modeParam // the parameter at fault if the settings do not fit together
	switch {
	case cooling.IsKnown():
		all = coolingParam
	case heating.IsKnown():
		all = heatingParam
	}
	settings := device.Climate{Mode: device.Known(mode), HeatingSetPoint: heating, CoolingSetPoint: cooling}
	return c.do(ctx, r.ID, device.Command{Kind: device.SetClimate, Climate: settings}, map[string]string{
		"command.climate.mode": modeParam, "command.climate." + heatingField: heatingParam, "command.climate." + coolingField: coolingParam, "command.climate": all,
	})
}

// fanModeRequest sets the mode of the fan of a thermostat. fan_mode is an older name of fan_mode_setting.
type fanModeRequest struct {
	ID            uuid.UUID
	Mode, OldMode string
}

func (r *fanModeRequest) input() input {
	return input{params: []jsonobject.Field{
		required(bind("device_id", &r.ID, idParam)), bind("fan_mode_setting", &r.Mode, fanModeParam), bind("fan_mode", &r.OldMode, fanModeParam),
	}}
}

func setFanMode(ctx context.Context, c *call, r *fanModeRequest) (jsonObject, error) {
	mode, name := r.Mode, "fan_mode_setting"
	if mode == "" {
		mode, name = r.OldMode, "fan_mode"
	}
	if mode == "" {
		return nil, invalidInput(0, validation.Finding{Path: "fan_mode_setting", Rule: validation.RuleRequired, Message: "is required"})
	}
	command := device.Command{Kind: device.SetClimate, Climate: device.Climate{FanMode: device.Known(device.FanMode(mode))}}
	return c.do(ctx, r.ID, command, map[string]string{"command.climate.fan_mode": name})
}

// attemptRequest names an action attempt.
type attemptRequest struct{ ID uuid.UUID }

func (r *attemptRequest) input() input {
	return input{params: []jsonobject.Field{required(bind("action_attempt_id", &r.ID, idParam))}}
}

func getAttempt(ctx context.Context, c *call, r *attemptRequest) (jsonObject, error) {
	a, err := c.scope("").Attempt(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	return jsonObject{"action_attempt": attemptJSON(a)}, nil
}

type listAttemptsRequest struct {
	IDs      []uuid.UUID
	DeviceID uuid.UUID
	pageRequest
}

func (r *listAttemptsRequest) input() input {
	return input{params: append([]jsonobject.Field{
		bind("action_attempt_ids", &r.IDs, idsParam), bind("device_id", &r.DeviceID, idParam),
	}, r.pageRequest.params()...)}
}

// listAttempts lists the attempts with the given ids, or those of a device. It ignores unknown ids.
func listAttempts(ctx context.Context, c *call, r *listAttemptsRequest) (jsonObject, error) {
	encoded, next := []jsonObject{}, ""
	switch {
	case (r.IDs == nil) == (r.DeviceID == uuid.Nil):
		return nil, invalidInput(0, validation.Finding{Rule: validation.RuleRequired, Message: "give either action_attempt_ids or device_id"})
	case r.IDs != nil:
		for _, id := range r.IDs {
			a, err := c.scope("").Attempt(ctx, id)
			if errors.Is(err, access.ErrAttemptNotFound) {
				continue
			}
			if err != nil {
				return nil, err
			}
			encoded = append(encoded, attemptJSON(a))
		}
	default:
		page, err := c.scope("").Attempts(ctx, access.AttemptQuery{DeviceID: r.DeviceID, Limit: r.Limit, Cursor: r.Cursor})
		if err != nil {
			return nil, err
		}
		c.warnIfStopped(page.Stopped)
		for _, a := range page.Items {
			encoded = append(encoded, attemptJSON(a))
		}
		next = page.Next
	}
	return jsonObject{"action_attempts": encoded, "pagination": c.pagination(next, next != "")}, nil
}
