// Prints docker-compose.yml of the working folder as Docker Compose understands it, in JSON.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/compose-spec/compose-go/v2/cli"
)

func main() {
	options, err := cli.NewProjectOptions(
		[]string{"docker-compose.yml"},
		cli.WithWorkingDirectory("."),
		cli.WithOsEnv,
		cli.WithEnvFiles(),
		cli.WithDotEnv,
		// Those that COMPOSE_PROFILES names.
		cli.WithDefaultProfiles(),
	)
	exitOn(err)
	// Checks the file by the specification's schema, and that everything it names is there.
	project, err := options.LoadProject(context.Background())
	exitOn(err)
	text, err := project.MarshalJSON()
	exitOn(err)
	fmt.Println(string(text))
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
