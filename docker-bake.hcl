# Both images for both kinds of machines: TAG=0.1.0 REGISTRY=registry.example docker buildx bake --push
# The worker's for NVIDIA GPUs, too: ... docker buildx bake --push default worker-gpu
# Nothing is compiled for any: requirements/platforms.json says which locks have wheels for which machines.
# Times in the images are SOURCE_DATE_EPOCH, whenever they are built; packages come from the locks, by hash.
variable "TAG" { default = "0.1.0" }
variable "REGISTRY" { default = "localhost" }
variable "SOURCE_DATE_EPOCH" { default = "0" }

group "default" { targets = ["rest", "worker"] }

target "both" {
  context   = "."
  platforms = ["linux/amd64", "linux/arm64"]
  args      = { SOURCE_DATE_EPOCH = SOURCE_DATE_EPOCH }
  output    = ["type=registry,rewrite-timestamp=true"]
  attest    = ["type=provenance,mode=max"]
}

target "rest" {
  inherits   = ["both"]
  dockerfile = "rest/Dockerfile"
  tags       = ["${REGISTRY}/facerec-rest:${TAG}"]
}

target "worker" {
  inherits   = ["both"]
  dockerfile = "worker/Dockerfile"
  tags       = ["${REGISTRY}/facerec-worker:${TAG}"]
}

target "worker-gpu" {
  inherits = ["worker"]
  args     = { LOCK = "worker-gpu" }
  tags     = ["${REGISTRY}/facerec-worker-gpu:${TAG}"]
}
