# `make quickstart` trains, evaluates and draws; `make test` runs the tests. Both make the
# environment where it is missing and leave it alone where it is there.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# YOLOX's code kept up for current torch, which tests and benchmarks compare with. Without what it
# asks for (another OpenCV, a converter to build): its data, network and trainer do not need that.
RIVAL := pixeltable-yolox==0.4.3

# What reads the formats of convert_dataset --from cvat and others, without what those do not need
# and without its limits on OpenCV and Pillow, which it works without.
FORMATS := datumaro==1.13.12 attrs defusedxml json-stream json-stream-rs-tokenizer lxml orjson \
	pandas shapely

.PHONY: quickstart test test-slow test-pages fuzz lint docs web cpp clean

quickstart: $(READY)
	"$(BIN)/python" tools/train.py -n quickstart -o runs/quickstart
	"$(BIN)/python" tools/eval.py -c runs/quickstart/best.pth
	@echo "written to runs/quickstart/: best.pth, log.txt, metrics.json, curves.png, pictures/, eval/"
	@echo "next: $(BIN)/python tools/demo.py image -n quickstart --path IMAGE_OR_FOLDER"
	@echo "      your own images: see README.md, 'Your own data in five lines'"

# One process a core with one thread each: torch's threads would fight for the cores.
PYTEST = OMP_NUM_THREADS=1 "$(BIN)/python" -m pytest -n auto --dist worksteal

test: $(READY)
	$(PYTEST) -m "not slow and not gpu and not pages and not fuzz"

test-slow: $(READY)
	"$(BIN)/python" -m pytest -m "slow"

# Each target changes valid files at random for so many seconds; a finding is printed made small.
SECONDS ?= 60
fuzz: $(READY)
	FUZZ_SECONDS=$(SECONDS) OMP_NUM_THREADS=1 "$(BIN)/python" -m pytest -n 0 --tb=short -m "fuzz"

# Pages in a headless Chromium, which is installed where it is missing.
test-pages: $(READY)
	command -v chromium || command -v google-chrome || sudo apt-get install -y chromium
	"$(BIN)/python" -m pytest -n 0 -m "pages"

lint: $(READY)
	"$(BIN)/ruff" format --check .
	"$(BIN)/ruff" check .
	"$(BIN)/mypy"

# The site in build/docs/html: the pages of docs/ and an API reference. A warning is an error.
docs: $(READY)
	"$(BIN)/python" -m sphinx -q -W --keep-going -b html -c docs -d build/docs/doctrees . build/docs/html
	@echo "open build/docs/html/index.html"

# The page of demo/web with onnxruntime-web beside it; needs npm.
web:
	cd demo/web && npm install --no-package-lock --no-audit --no-fund
	mkdir -p demo/web/ort
	cp $(addprefix demo/web/node_modules/onnxruntime-web/dist/,ort.wasm.min.mjs \
		ort-wasm-simd-threaded.mjs ort-wasm-simd-threaded.wasm) demo/web/ort/
	@echo "open http://localhost:8000 after: python3 -m http.server -d demo/web"

# The program of demo/cpp; needs CMake, OpenCV, and a release of ONNX Runtime:
#   make cpp ONNXRUNTIME_ROOT=/path/to/onnxruntime
cpp:
	cmake -S demo/cpp -B build/cpp -DCMAKE_BUILD_TYPE=Release -DONNXRUNTIME_ROOT="$(ONNXRUNTIME_ROOT)"
	cmake --build build/cpp

# The stamp is written last, so that an install that was cut off is done again.
$(READY): pyproject.toml setup.py
	test -x "$(BIN)/python" || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV): a few minutes, several GB with the CUDA build of torch"
	"$(BIN)/python" -m pip install --disable-pip-version-check -e ".[dev]"
	"$(BIN)/python" -m pip install --disable-pip-version-check --no-deps $(RIVAL) $(FORMATS)
	touch $(READY)

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
