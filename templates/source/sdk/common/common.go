// Package common declares the few names that flannel's tencent-vpc backend uses, so that an unmodified flannel
// builds without that cloud's SDK. The backend then refuses to start; every other backend is as it was.
package common

func StringPtr(value string) *string { return &value }

func BoolPtr(value bool) *bool { return &value }

func StringPtrs(values []string) []*string {
	pointers := make([]*string, len(values))
	for i := range values {
		pointers[i] = &values[i]
	}
	return pointers
}
