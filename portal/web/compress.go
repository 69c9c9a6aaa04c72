package web

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// Encodings of responses, as in the headers Accept-Encoding and Content-Encoding.
const (
	encodingZstd = "zstd"
	encodingGzip = "gzip"
)

// minCompressed is the size of the smallest body in bytes that is compressed.
const minCompressed = 512

// acceptedEncoding returns the best encoding that the client accepts, or "" for none.
func acceptedEncoding(r *http.Request) string {
	accepts := func(encoding string) bool {
		for part := range strings.SplitSeq(strings.Join(r.Header.Values("Accept-Encoding"), ","), ",") {
			name, parameters, _ := strings.Cut(part, ";")
			if !strings.EqualFold(strings.TrimSpace(name), encoding) {
				continue
			}
			weight, weighted := strings.CutPrefix(strings.ToLower(strings.TrimSpace(parameters)), "q=")
			q, err := strconv.ParseFloat(weight, 64)
			return !weighted || err == nil && q > 0
		}
		return false
	}
	for _, encoding := range []string{encodingZstd, encodingGzip} {
		if accepts(encoding) {
			return encoding
		}
	}
	return ""
}

// mayCompress reports whether the response may be compressed, although its size then depends on how much of the address
// it repeats. An attacker who can make a browser open addresses of the attacker's choice, and who can see the size of
// encrypted responses, could find texts of a page in this way (the attack is known as BREACH). Therefore a page is
// compressed only if the visitor opened it from a page of the portal or typed its address. Browsers state this in
// Sec-Fetch-Site, which the pages of other sites cannot set.
func mayCompress(r *http.Request) bool {
	site := r.Header.Get("Sec-Fetch-Site")
	return site == "same-origin" || site == "none"
}

// Compressors that all requests share.
var (
	gzipWriters = sync.Pool{New: func() any { return gzip.NewWriter(nil) }}

	// The window is small, because pages are, and so that an encoder needs little memory.
	newZstdWriter = sync.OnceValues(func() (*zstd.Encoder, error) {
		return zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithWindowSize(256<<10), zstd.WithLowerEncoderMem(true))
	})
)

// compress returns a body in an encoding.
func compress(body []byte, encoding string) ([]byte, error) {
	if encoding == encodingZstd {
		w, err := newZstdWriter()
		if err != nil {
			return nil, err
		}
		return w.EncodeAll(body, make([]byte, 0, len(body)/3)), nil
	}
	var out bytes.Buffer
	w := gzipWriters.Get().(*gzip.Writer)
	defer gzipWriters.Put(w)
	w.Reset(&out)
	if _, err := w.Write(body); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// compressBody compresses the body of the response in an encoding that the client accepts.
func (x *exchange) compressBody() {
	header := x.w.Header()
	header.Add("Vary", "Accept-Encoding")
	encoding := acceptedEncoding(x.r)
	if encoding == "" || len(x.body) < minCompressed {
		return
	}
	body := x.h.templates.compressed[assetEncoding{x.asset, encoding}]
	if body == nil {
		var err error
		if body, err = compress(x.body, encoding); err != nil {
			x.h.db.Logger().ErrorContext(x.ctx(), "compressing a page failed", "error", err)
			return
		}
	}
	header.Set("Content-Encoding", encoding)
	x.body = body
}
