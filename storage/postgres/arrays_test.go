package postgres

import (
	"testing"

	"github.com/jackc/pgx/v5/pgtype"
	"github.com/stretchr/testify/require"
)

// BenchmarkArrays encodes the keys of 5,000 rows with the codec of the driver and with the one of this package.
func BenchmarkArrays(b *testing.B) {
	value := make([][]byte, maxStatementRows)
	for i := range value {
		value[i] = make([]byte, 100)
	}
	types := pgtype.NewMap()
	of, _ := types.TypeForOID(pgtype.ByteaArrayOID)
	codec := of.Codec.(*pgtype.ArrayCodec)
	for name, c := range map[string]pgtype.Codec{"driver": codec, "own": arrays{codec}} {
		b.Run(name, func(b *testing.B) {
			types.RegisterType(&pgtype.Type{Name: of.Name, OID: of.OID, Codec: c})
			for b.Loop() {
				if _, err := types.Encode(pgtype.ByteaArrayOID, pgtype.BinaryFormatCode, value, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestArrays_AnyElements_AreThoseOfTheDriver(t *testing.T) {
	t.Parallel()
	for _, value := range [][][]byte{{}, {{}}, {{1}, {}, {2, 3}}, {make([]byte, 100_000), {0}}} {
		types := pgtype.NewMap()
		of, ok := types.TypeForOID(pgtype.ByteaArrayOID)
		require.True(t, ok)
		encode := func() []byte {
			b, err := types.Encode(of.OID, pgtype.BinaryFormatCode, value, []byte("before"))
			require.NoError(t, err)
			return b
		}
		want := encode()
		types.RegisterType(&pgtype.Type{Name: of.Name, OID: of.OID, Codec: arrays{of.Codec.(*pgtype.ArrayCodec)}})
		plan := types.PlanEncode(of.OID, pgtype.BinaryFormatCode, value)
		require.IsType(t, arrayPlan{}, plan)
		require.Equal(t, want, encode())
	}
}
