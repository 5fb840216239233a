import type { Role } from './inventory.ts'

/** The list of a bundle: `manifest.json` at its top. Paths are relative to it. */
export interface Manifest {
  readonly format: 1
  /** Without a leading v */
  readonly kubernetes: string
  readonly arch: 'amd64' | 'arm64'
  readonly producer: 'source' | 'releases'
  /** Stands for the versions and recipes it was made with: another value means that `bundle create` would make another bundle. */
  readonly recipe: string
  readonly artifacts: readonly Artifact[]
}

/** Something a host may need. A `binary` and a `cni` plugin are one file; an `image` is a list of blobs. */
export type Artifact = FileArtifact | ImageArtifact

interface Common {
  readonly name: string
  readonly version: string
  readonly roles: readonly Role[]
  readonly size: number
  readonly sha256: string
}

export interface FileArtifact extends Common {
  readonly kind: 'binary' | 'cni'
  /** In the bundle: files/kubelet */
  readonly file: string
}

/** `name` is the full reference kubeadm asks for; `sha256` is of the image's OCI manifest, which is one of the blobs. */
export interface ImageArtifact extends Common {
  readonly kind: 'image'
  readonly blobs: readonly Blob[]
}

/** A content-addressed file of the bundle: blobs/sha256/<digest>. Images share blobs, on disk and on the wire. */
export interface Blob {
  /** hex, without sha256: */
  readonly digest: string
  readonly size: number
}
