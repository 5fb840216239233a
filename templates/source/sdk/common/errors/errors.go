// Package errors declares the one error type that flannel's tencent-vpc backend asks for.
package errors

type TencentCloudSDKError struct{ Message string }

func (e *TencentCloudSDKError) Error() string { return e.Message }
