/** The namespaces of the probe pods of verifications begin so. */
export const probeNamespace = 'k8snet-verify-'
/** Is this one of the probe pods of any verification, or what belongs to them? */
export const isProbe = ({ namespace }: { readonly namespace: string }): boolean => namespace.startsWith(probeNamespace)
