package proofs

func workOnRegisters(dir string, seed uint64) {}
