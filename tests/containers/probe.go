// A service for tests: answers with $GREETING on port 8080, and checks, says or fails when it is told to.
package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"strings"
)

func main() {
	command := "serve"
	if len(os.Args) > 1 {
		command = os.Args[1]
	}
	switch command {
	case "serve":
		listener, err := net.Listen("tcp", ":8080")
		if err != nil {
			os.Exit(1)
		}
		for {
			connection, err := listener.Accept()
			if err == nil {
				fmt.Fprint(connection, os.Getenv("GREETING"))
				connection.Close()
			}
		}
	case "ask": // an address: prints what it answers
		connection, err := net.Dial("tcp", os.Args[2])
		if err != nil {
			os.Exit(1)
		}
		text, _ := io.ReadAll(connection)
		fmt.Print(string(text))
	case "cloud": // a path: prints what the local cloud answers
		address := strings.TrimPrefix(os.Getenv("AWS_ENDPOINT_URL"), "http://")
		connection, err := net.Dial("tcp", address)
		if err != nil {
			os.Exit(1)
		}
		fmt.Fprintf(connection, "GET %s HTTP/1.0\r\nHost: %s\r\nConnection: close\r\n\r\n", os.Args[2], address)
		text, _ := io.ReadAll(connection)
		fmt.Print(string(text))
		if !strings.Contains(string(text), " 200 OK") {
			os.Exit(1)
		}
	case "show": // a file
		text, err := os.ReadFile(os.Args[2])
		if err != nil {
			os.Exit(1)
		}
		fmt.Print(string(text))
	case "say":
		fmt.Println(strings.Join(os.Args[2:], " "))
	default:
		os.Exit(3)
	}
}
